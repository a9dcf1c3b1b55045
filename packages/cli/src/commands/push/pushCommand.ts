import { dirname, join, resolve } from 'node:path';
import { Problem, problem } from '@dropbp/basics';
import { findBase, type Base } from '@dropbp/compose';
import { mayBeHubId, pushToHub, type Pushed } from '@dropbp/hub';
import { exists } from '../../files/exists.ts';
import { kindOfPath } from '../../files/kindOfPath.ts';
import { readJsonFile } from '../../files/readJsonFile.ts';
import { command } from '../../flags/command.ts';
import { text, toggle } from '../../flags/flag.ts';
import type { RunRecord } from '../../record/runRecord.ts';
import { readRun } from '../../record/readRun.ts';
import { listenForInterruption } from '../../terminal/interruption.ts';
import { paint, styled, type Styled } from '../../terminal/paint.ts';
import { statusLine } from '../../terminal/statusLine.ts';
import { modelCard, type CardSubject } from './modelCard.ts';

/** `dropbp push`. */
export const pushCommand = command({
  name: 'push',
  summary: 'Uploads an adapter or a model to the Hugging Face hub, with a model card.',
  positional: {
    placeholder: '<folder> <hub id>',
    help: 'what to upload, or the run that made it, and where to: someone/name',
    count: 2,
  },
  flags: {
    private: toggle('make the repository private, where it is new'),
    revision: text('<branch>', 'the branch to commit to; it is made where there is none', 'main'),
    json: toggle('print the result as one JSON object'),
  },
  examples: ['dropbp push out/kjv someone/kjv-lora --private', 'dropbp push out/kjv-merged someone/kjv --revision v2'],
  async run({ private: isPrivate, revision, json }, [path, id], terminal) {
    const { folder, subject } = await subjectOf(path!, id!);
    const status = statusLine(terminal);
    const interruption = listenForInterruption(terminal, 'Stopping the upload');
    try {
      const pushed = await pushToHub(folder, id!, {
        ...{ isPrivate, revision, card: modelCard(subject), signal: interruption.signal },
        onProgress: ({ phase, file }) => status.show(phaseNames[phase], file),
      });
      status.clear();
      if (json) terminal.out(`${JSON.stringify({ folder, id, ...pushed }, undefined, 2)}\n`);
      else terminal.out(summary(folder, pushed));
      for (const note of notesOf(pushed, subject, { isPrivate, id: id! })) {
        terminal.notes(styled`${paint('yellow', note)}\n`);
      }
      return undefined;
    } catch (error) {
      const code = interruption.exitCode();
      if (code === undefined || error instanceof Problem) throw error;
      return code;
    } finally {
      interruption.release();
    }
  },
});

const phaseNames = { reading: 'Reading', uploading: 'Uploading', committing: 'Committing' };

/** What is to be uploaded: a folder, or what the run in it has left. */
async function subjectOf(path: string, id: string): Promise<{ folder: string; subject: CardSubject }> {
  let [folder, kind] = [path, await kindOfPath(path)];
  if (kind === 'run') {
    const parts = [join(path, 'adapter'), join(path, 'model')];
    const made = (await Promise.all(parts.map(exists))).indexOf(true);
    if (made === -1) throw problem('cli', { what: `the run in ${path} has left no adapter or model yet` });
    [folder, kind] = [parts[made]!, made === 0 ? 'adapter' : 'model'];
  }
  if (kind !== 'adapter' && kind !== 'model') {
    throw problem('cli', { what: `${path} is a file`, expected: 'the folder of an adapter, a model or a run' });
  }
  const config = await readJsonFile(join(folder, kind === 'adapter' ? 'adapter_config.json' : 'config.json'));
  const record = await recordBeside(folder, kind);
  const base = await hubIdOfBase(folder, kind, record);
  return { folder, subject: { kind, id, config, ...(base !== undefined && { base }), ...(record && { record }) } };
}

/** The record of the run that made an adapter or a model, which lies beside its folder. */
async function recordBeside(folder: string, kind: 'adapter' | 'model'): Promise<RunRecord | undefined> {
  const file = join(dirname(resolve(folder)), 'run.json');
  if (!(await exists(file))) return undefined;
  try {
    const record = await readRun(file);
    return (record.options.adapter === 'full') === (kind === 'model') ? record : undefined;
  } catch (error) {
    // A file of that name may be of anything.
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** The base by its id on the hub; undefined where it lies in a folder, or is not known. */
async function hubIdOfBase(
  folder: string,
  kind: 'adapter' | 'model',
  record: RunRecord | undefined,
): Promise<string | undefined> {
  const named: Base | undefined =
    kind === 'adapter'
      ? await findBase(folder).catch((error: unknown) => {
          if (error instanceof Problem) return undefined;
          throw error;
        })
      : record && { source: record.model.source };
  if (named === undefined || (await exists(named.source))) return undefined;
  return (await mayBeHubId(named.source)) ? named.source : undefined;
}

function summary(folder: string, { url, commit, uploaded, unchanged }: Pushed): Styled {
  const there = unchanged.length === 0 ? '' : `, ${unchanged.length} were there already`;
  const done =
    uploaded.length === 0
      ? `nothing to upload: all ${unchanged.length} files are there already`
      : `${uploaded.length} files uploaded${there}, in the commit ${commit.slice(0, 8)}`;
  return styled`${folder}: ${done}\n${url}\n`;
}

function notesOf(
  { leftOut, card, isNew }: Pushed,
  { kind, base, config }: CardSubject,
  { isPrivate, id }: { readonly isPrivate: boolean; readonly id: string },
): string[] {
  const source = config.base_model_name_or_path;
  return [
    ...(leftOut.length === 0 ? [] : [`Left out, as no part of ${kind === 'adapter' ? 'an adapter' : 'a model'}: ${leftOut.join(', ')}`]),
    ...(card === 'kept' ? ['README.md is kept as it is'] : []),
    ...(isPrivate && !isNew ? [`${id} was there already, and --private does not change it`] : []),
    ...(kind === 'adapter' && base === undefined
      ? [`The adapter names ${typeof source === 'string' ? source : 'no base'} as its base, which others cannot find: they have to give --model`]
      : []),
  ]; // prettier-ignore
}
