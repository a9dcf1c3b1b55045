import { openDataset, type Dataset } from '@dropbp/data';
import type { DataFlagValues } from '../flags/tables/dataFlags.ts';

/** Opens what the flags name. @throws Problem if it cannot be read, or no format fits */
export function openData({
  data,
  fileType,
  format,
  columns,
  template,
  skipBadRows,
}: Pick<DataFlagValues, 'data' | 'fileType' | 'format' | 'columns' | 'template' | 'skipBadRows'>): Promise<Dataset> {
  return openDataset(data, {
    badRows: skipBadRows ? 'skip' : 'throw',
    ...(fileType !== 'auto' && { fileType }),
    ...(format !== 'auto' && { format }),
    ...(columns && { columns }),
    ...(template !== undefined && { template }),
  });
}
