import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { seededRandom } from '@dropbp/basics';
import { compose, loadAdapter, type Tuned } from '@dropbp/compose';
import type { Adapter, Model } from '@dropbp/core';
import { textBatches } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { createModel } from '@dropbp/models';
import { ia3 } from '@dropbp/peft-ia3';
import { lora } from '@dropbp/peft-lora';
import { prefixTuning } from '@dropbp/peft-prefix';
import { train } from '@dropbp/train';
import { fakeRun } from '../../../packages/cli/test/fakeRun.ts';
import { readConfigFile } from '../../../packages/cli/src/flags/configFile.ts';
import { readRunLog } from '../../../packages/cli/src/record/runLog.ts';
import { readRun } from '../../../packages/cli/src/record/readRun.ts';
import { renderReport } from '../../../packages/cli/src/report/renderReport.ts';
import { trainFlags } from '../../../packages/cli/src/flags/tables/trainFlags.ts';
import { mutateConfig, mutateSafetensors } from '../mutate/files.ts';
import { jsonLinesMutator, jsonMutator } from '../mutate/json.ts';
import type { FuzzTarget } from '../target.ts';
import { bytesOf, jsonPieces, scratchFolder, withFile } from './scratch.ts';

const sizes = { vocab_size: 24, hidden_size: 8, intermediate_size: 16, max_position_embeddings: 32 };
const heads = { num_hidden_layers: 2, num_attention_heads: 2, num_key_value_heads: 1 };
const weightPieces = [...jsonPieces, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), 'F16', '"shape":['];

/** Adapters, checkpoints, and what `dropbp` reads. */
export async function runTargets(): Promise<FuzzTarget[]> {
  await tf.setBackend('cpu');
  const model = createModel({ model_type: 'llama', initializer_range: 0.3, ...sizes, ...heads }, { seed: 2 });
  return [...(await adapterTargets(model)), ...(await checkpointTargets(model)), ...commandTargets()];
}

/** What means something in the configuration of an adapter, or the state of a checkpoint. */
export const adapterWords = {
  keys: ['peft_type', 'r', 'lora_alpha', 'target_modules', 'modules_to_save', 'rank_pattern', 'alpha_pattern', 'use_dora', 'use_rslora', 'bias', 'layers_to_transform', 'layers_pattern', 'fan_in_fan_out', 'num_virtual_tokens', 'feedforward_modules', 'exclude_modules', 'trainable_token_indices', 'step', 'state', 'random', 'position'],
  values: ['"LORA"', '"IA3"', '"VERA"', '"PREFIX_TUNING"', '"all-linear"', '".*(a+)+$"', '"("', '["q_proj"]', '["lm_head"]', '["embed_tokens"]', '"all"', '"lora_only"', '{"q_proj":4}', '{"(a+)+$":1}', '[0]', '[5]', '"layers"', '"CAUSAL_LM"', '"SEQ_CLS"'],
}; // prettier-ignore

/** A file of each of some folders is damaged, the others are whole. */
function fileOfFolders(
  name: string,
  folders: readonly string[],
  pieces: FuzzTarget['pieces'],
  use: (folder: string) => Promise<void>,
): FuzzTarget {
  const whole = folders.map(folder => new Uint8Array(readFileSync(join(folder, name))));
  return {
    name,
    mutate: name.endsWith('.json') ? jsonMutator(adapterWords) : mutateSafetensors,
    inputs: whole,
    pieces,
    async run(input) {
      // That of which the input most likely came.
      const length = (bytes: Uint8Array): number => Math.abs(bytes.length - input.length);
      const own = whole.reduce((best, bytes, i) => (length(bytes) < length(whole[best]!) ? i : best), 0);
      const folder = folders[own]!;
      try {
        await use(withFile(folder, name, input));
      } finally {
        withFile(folder, name, whole[own]!);
      }
    },
  };
}

async function adapterTargets(model: Model): Promise<FuzzTarget[]> {
  const adapters: Adapter[] = [
    lora({ rank: 2, targetModules: ['q_proj', 'v_proj'] }),
    ia3(),
    prefixTuning({ numVirtualTokens: 2 }),
  ];
  const folders: string[] = [];
  for (const adapter of adapters) {
    const tuned = compose(model, adapter);
    folders.push(scratchFolder('adapter'));
    await tuned.save(folders.at(-1)!);
    tuned.dispose();
  }
  const use = async (folder: string): Promise<void> => {
    const tuned = compose(model, await loadAdapter(folder));
    try {
      tuned.forward([[1, 2, 3]]).dispose();
    } finally {
      tuned.dispose();
    }
  };
  const keys = ['"r":', '"peft_type":"IA3",', '"target_modules":[', '"use_dora":true,', '"rank_pattern":{"x":1},'];
  const large = ['"r":1000000000,', '"num_virtual_tokens":1000000000,', '"target_modules":".*(a+)+$",'];
  return [
    fileOfFolders('adapter_config.json', folders, [...jsonPieces, ...keys, ...large], use),
    fileOfFolders('adapter_model.safetensors', folders, [...weightPieces, 'base_model.model.', 'lora_A'], use),
  ];
}

async function checkpointTargets(model: Model): Promise<FuzzTarget[]> {
  const directory = scratchFolder('checkpoints');
  const tokens = Int32Array.from({ length: 200 }, (_, i) => (i * 5) % 24);
  const started = (): Tuned =>
    compose(model, lora({ rank: 2, targetModules: 'all-linear' }), dropBP({ rate: 0.4, allocation: 'reference' }));
  const steps = async (tuned: Tuned, resume: boolean): Promise<void> => {
    const batches = textBatches(tokens, { batch: 1, time: 8, seed: 1 });
    const options = { steps: 2, learningRate: 0.01, checkpoints: { directory, every: 2, resume } };
    for await (const { loss } of train(tuned, batches, options)) {
      if (!Number.isFinite(loss)) throw new Error(`a loss of ${loss}`);
    }
    tuned.dispose();
  };
  await steps(started(), false);
  const [step] = readdirSync(directory);
  const folder = join(directory, step!);
  return readdirSync(folder).map(name =>
    fileOfFolders(name, [folder], [...weightPieces, '"step":', '"random":', 'parameters.', '"rates":['], async () => {
      const tuned = started();
      try {
        await steps(tuned, true);
        for (const parameter of tuned.parameters.values()) {
          if (!parameter.isDisposed) await parameter.data();
        }
      } finally {
        tuned.dispose();
        for (const other of readdirSync(directory)) {
          if (other !== step) rmSync(join(directory, other), { recursive: true });
        }
      }
    }),
  );
}

function commandTargets(): FuzzTarget[] {
  const folder = scratchFolder('run');
  const random = seededRandom(1);
  const log = Array.from({ length: 6 }, (_, i) => JSON.stringify({ type: 'heldOut', step: i, loss: random() }));
  const yaml = 'model: a\ndata:\n  - b.jsonl\nrank: 4\nlearningRate: 1e-3 # high\nrslora: true\nout: "x"\n';
  return [
    {
      name: 'run.yaml',
      mutate: mutateConfig,
      inputs: [bytesOf(yaml), bytesOf('{"model": "a", "steps": 5, "targets": ["q_proj"]}')],
      pieces: [
        ...jsonPieces,
        '&a ',
        '*a',
        '<<: *a',
        '- ',
        '\n  ',
        '\t',
        '---\n',
        '!!js/function ',
        '!!binary ',
        '|',
        '? ',
      ],
      async run(input) {
        await readConfigFile(join(withFile(folder, 'run.yaml', input), 'run.yaml'), trainFlags);
      },
    },
    {
      name: 'run.json',
      mutate: jsonMutator(),
      inputs: [bytesOf(JSON.stringify(fakeRun({ steps: fakeRun().steps.slice(0, 2) })))],
      pieces: [...jsonPieces, '"steps":[', '"branches":[', '"samples":', '"heldOut":[', '</script>', '"path":7'],
      async run(input) {
        renderReport([await readRun(withFile(folder, 'run.json', input))]);
      },
    },
    {
      name: 'log.jsonl',
      mutate: jsonLinesMutator({ keys: ['type', 'step', 'loss', 'text'], values: ['"step"', '"heldOut"', '"sample"'] }),
      inputs: [bytesOf(`${log.join('\n')}\n`)],
      pieces: [...jsonPieces, '"type":"step",', '"text":', '\n'],
      async run(input) {
        await readRunLog(join(withFile(folder, 'log.jsonl', input), 'log.jsonl'));
      },
    },
  ];
}
