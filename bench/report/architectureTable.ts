import { modelTitles } from '../../packages/models/src/architectures/architectures.ts';
import { architectures } from '../../packages/models/src/gguf/config/ggufArchitecture.ts';
import { writtenModelTypes } from '../../packages/models/src/gguf/write/describeGguf.ts';
import { markdownTable } from './markdown.ts';

/** The models that can be loaded, made from the code that loads them. */
export function architectureTable(): string {
  const read = Object.values(architectures).flatMap(({ modelTypes }) => modelTypes);
  const ggufOf = (type: string): string => {
    if (!read.includes(type)) return 'no';
    return writtenModelTypes.includes(type) ? 'read and written' : 'read';
  };
  const rows = Object.entries(modelTitles).map(([type, title]) => ({ title, type: `\`${type}\``, gguf: ggufOf(type) }));
  const own = { title: '[your own](docs/writing-a-model.md)', type: 'on `@dropbp/core`', gguf: '–' };
  return markdownTable([...rows, own], {
    models: row => row.title,
    '`model_type`': row => row.type,
    'GGUF files': row => row.gguf,
  });
}
