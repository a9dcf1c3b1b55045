import { removeTemporaries } from '@dropbp/basics';
import { compose, loadAdapter } from '@dropbp/compose';
import { prepareAdapter } from '@dropbp/core';
import { command } from '../../flags/command.ts';
import { choice, requiredText, text, toggle } from '../../flags/flag.ts';
import { countParameters } from '../../model/countParameters.ts';
import { openNamedBase } from '../../model/baseOfAdapter.ts';
import { copyTokenizer, modelForAdapter } from '../../model/growVocabulary.ts';
import { openBase, quantisedTypes } from '../../model/openModel.ts';
import { revisionFlag, backendFlag } from '../../flags/tables/modelFlags.ts';
import { findSubject } from '../../model/openSubject.ts';
import { startBackend } from '../../model/startBackend.ts';
import { formatLarge } from '../../terminal/formatNumber.ts';
import { paint, styled } from '../../terminal/paint.ts';
import { statusLine } from '../../terminal/statusLine.ts';
import { openMergePlace, refuseExisting } from './mergePlace.ts';

const mergeFlags = {
  adapter: requiredText('<folder|hub id>', 'the adapter, in the format of PEFT'),
  out: requiredText('<folder>', 'where the model goes; there must be none'),
  model: {
    ...text('<folder|file|hub id>', 'the base: a folder, a GGUF file, or a hub id'),
    defaultText: 'that which the adapter names',
  },
  revision: revisionFlag(),
  dtype: choice(['auto', 'F32', 'F16', 'BF16'], 'type of the weights; auto: as in the base', 'auto'),
  backend: backendFlag(),
  json: toggle('print the result as one JSON object'),
};

/** `dropbp merge`. */
export const mergeCommand = command({
  name: 'merge',
  summary: 'Works an adapter into the weights of its base: a model folder that needs no adapter, for transformers too.',
  flags: mergeFlags,
  examples: ['dropbp merge --adapter out/kjv/adapter --out out/kjv-merged'],
  async run({ adapter, out, dtype, json, ...flags }, _positionals, terminal) {
    await refuseExisting(out);
    const status = statusLine(terminal);
    const places = await findSubject({ ...flags, adapter }, terminal, status);
    const { source } = places.base;
    await startBackend(flags.backend, terminal);
    const quantised = await quantisedTypes(source);
    const base = await openNamedBase({ model: flags.model, adapter }, () => openBase(places.base, status));
    const model = await modelForAdapter(base, places.adapter!.folder);
    if (quantised.length > 0) {
      const note = `${source} is quantised (${quantised.join(', ')}): its weights are dequantised, and written as ${dtype === 'auto' ? 'F32' : dtype}`;
      terminal.notes(styled`${paint('yellow', note)}\n`);
    }
    const tuned = compose(model, await prepareAdapter(await loadAdapter(places.adapter!.folder), model));
    status.show('Merging');
    const merged = tuned.merge();
    const place = await openMergePlace(out);
    // What is half written is as large as the model: it goes when the command is asked to end.
    const release = terminal.onInterrupt(signal => {
      removeTemporaries('cli');
      place.leave();
      process.exit(signal === 'SIGINT' ? 130 : 143);
    });
    try {
      await merged.save(out, dtype === 'auto' ? {} : { dtype });
      await copyTokenizer(places.adapter!.folder, out);
    } finally {
      release();
      place.leave();
    }
    status.clear();
    const parameters = countParameters(merged);
    for (const each of [merged, tuned, model]) each.dispose();
    if (json)
      terminal.out(`${JSON.stringify({ written: out, base: source, adapter, parameters, quantised }, undefined, 2)}\n`);
    else terminal.out(styled`${out}: ${source} with ${adapter}, ${formatLarge(parameters)} parameters\n`);
  },
});
