import type { DataReport } from '@dropbp/data';
import { flagName } from '../flags/flagName.ts';
import { formatShare } from '../terminal/formatNumber.ts';
import type { DataFlagValues } from '../flags/tables/dataFlags.ts';

/** From this share of padding on, packing is worth a try: it costs nothing but longer sequences. */
const MUCH = 0.3;

/** Share of the batches that is padding. */
export function paddingShare({ tokens, padding }: Pick<DataReport, 'tokens' | 'padding'>): number {
  return tokens + padding === 0 ? 0 : padding / (tokens + padding);
}

/** What to do about much padding; undefined where there is little. */
export function paddingHint(share: number, { arrangement }: Pick<DataFlagValues, 'arrangement'>): string | undefined {
  if (share < MUCH) return undefined;
  const found = `${formatShare(share)} of the batches is padding`;
  return arrangement === 'packed'
    ? `${found}: a shorter ${flagName('time')} leaves less of it`
    : `${found}: ${flagName('arrangement')} packed puts several rows into one sequence, and a step learns more`;
}
