import { join, resolve, sep } from 'node:path';
import { problem } from '@dropbp/basics';
import { checkAdapterConfig } from '@dropbp/compose';
import { readJsonFile } from '../../files/readJsonFile.ts';
import { checkAgreement, flagsOfAdapter } from '../../method/flagsOfAdapter.ts';
import { baseOfAdapter } from '../../model/baseOfAdapter.ts';
import { findAdapter } from '../../model/openSubject.ts';
import { statusLine } from '../../terminal/statusLine.ts';
import type { Terminal } from '../../terminal/terminal.ts';

type Values = ReadonlyMap<string, unknown>;

/**
 * What the adapter that `--from` names says of a run: its method with all options, and the base where no `--model` is given.
 *
 * @param from - the flag
 * @param above - values of the layers above, the first of which wins
 * @throws Problem where there is no such adapter, a flag contradicts it, or it lies where the run would write
 */
export async function layerFromAdapter(from: string, above: readonly Values[], terminal: Terminal): Promise<Values> {
  const valueOf = (key: string): unknown => above.find(values => values.get(key) !== undefined)?.get(key);
  const adapter = await findAdapter(from, statusLine(terminal), 'from');
  const out = valueOf('out');
  if (typeof out === 'string' && `${resolve(adapter.folder)}${sep}`.startsWith(`${resolve(out)}${sep}`)) {
    throw problem('cli', {
      what: `--from ${from} lies in --out ${out}, where this run writes its own adapter`,
      fix: 'give another --out',
    });
  }
  const config = await readJsonFile(join(adapter.folder, 'adapter_config.json'));
  await checkAdapterConfig(config);
  const own = flagsOfAdapter(config);
  for (const values of above) checkAgreement(values, own, from);
  if (valueOf('model') !== undefined) return own;
  const { source, revision } = await baseOfAdapter(adapter, terminal);
  return new Map([...own, ['model', source], ...(revision === undefined ? [] : [['revision', revision] as const])]);
}
