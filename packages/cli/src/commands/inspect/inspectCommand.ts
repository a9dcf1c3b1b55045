import { join } from 'node:path';
import { problem } from '@dropbp/basics';
import { openSafetensors } from '@dropbp/safetensors';
import { exists } from '../../files/exists.ts';
import { kindOfPath } from '../../files/kindOfPath.ts';
import { command } from '../../flags/command.ts';
import { toggle } from '../../flags/flag.ts';
import { ownCommand } from '../../terminal/ownCommand.ts';
import type { Styled } from '../../terminal/paint.ts';
import { shellWord } from '../../terminal/shellWord.ts';
import { fieldLines } from './fieldLines.ts';
import { inspectAdapter, showAdapter } from './inspectAdapter.ts';
import { inspectGguf } from './inspectGguf.ts';
import { inspectModel, showModel } from './inspectModel.ts';
import { listTensors, tensorTable, totalLine } from './tensorList.ts';

/** `dropbp inspect`. */
export const inspectCommand = command({
  name: 'inspect',
  summary: 'Shows what is in a model folder, an adapter folder, a run, a .safetensors or a .gguf file.',
  positional: { placeholder: '<folder|file>', help: 'what to look into; of a run, its adapter or model' },
  flags: { json: toggle('print one JSON object, every tensor included') },
  examples: ['dropbp inspect out/psalms/adapter', 'dropbp inspect models/austen-base --json'],
  async run({ json }, [path], terminal) {
    const inspected = await inspect(path!);
    terminal.out(json ? `${JSON.stringify(inspected.summary, undefined, 2)}\n` : inspected.show());
  },
});

interface Inspected {
  readonly summary: object;
  show(): Styled;
}

async function inspect(path: string): Promise<Inspected> {
  const kind = await kindOfPath(path);
  switch (kind) {
    case 'adapter': {
      const summary = await inspectAdapter(path);
      return { summary, show: () => showAdapter(summary) };
    }
    case 'gguf': {
      const summary = await inspectGguf(path);
      return { summary, show: () => showModel(summary) };
    }
    case 'model': {
      const summary = await inspectModel(path);
      return { summary, show: () => showModel(summary) };
    }
    case 'run': {
      for (const part of [join(path, 'adapter'), join(path, 'model')]) if (await exists(part)) return inspect(part);
      throw problem('cli', {
        what: `the run in ${path} has left no adapter or model yet`,
        fix: `${ownCommand(`train --resume --out ${shellWord(path)}`)} goes on with it`,
      });
    }
    case 'safetensors':
      return inspectFile(path);
  }
}

async function inspectFile(path: string): Promise<Inspected> {
  const file = await openSafetensors(path);
  const { metadata, notices } = file;
  const tensors = listTensors(file.tensors);
  await file.close();
  return {
    summary: { kind: 'safetensors', metadata, notices, tensors },
    show() {
      const fields = [
        ['content', totalLine(tensors)] as const,
        ...Object.entries(metadata).map(([key, value]) => [key, value] as const),
        ...notices.map(notice => ['notice', notice] as const),
      ];
      return [fieldLines(fields), '\n', tensorTable(tensors)];
    },
  };
}
