import { tables } from './tables.ts';

interface Experiment {
  readonly title: string;
  readonly about: string;
  /** Heading → table of {@link tables}. */
  readonly parts: Readonly<Record<string, string>>;
}

/** The pages of bench/results: name of a file → what stands there. */
const experiments: Readonly<Record<string, Experiment>> = {
  'step-beside-pytorch': {
    title: "A step beside PyTorch's",
    about:
      'SmolLM2-135M, 512 tokens, batch 1, LoRA of rank 8 on q and v. Both sides take turns, with the same weights and the same dropped branches. A goal is one that we set ourselves. Most of a step is products of matrices, so the ratio follows how fast ONNX Runtime and PyTorch multiply on a processor.',
    parts: {
      'AMD EPYC, family 26': 'compare',
      'AMD EPYC, family 25': 'compare.slow',
      'Intel Xeon': 'compare.xeon',
      "The authors' PyTorch code": 'authors',
      'Measuring all sensitivities': 'sensitivities',
    },
  },
  'drop-rates': {
    title: 'A step at each drop rate',
    about:
      "SmolLM2-135M's shape, batch 1. LoRA has rank 8 on q and v. The theory counts FLOPs of the layers alone: it leaves out embedding, head and loss, which are not dropped.",
    parts: {
      'LoRA, 512 tokens': 'step.lora.512',
      'LoRA, 2,048 tokens': 'step.lora.2048',
      'All weights, 512 tokens': 'step.full.512',
      'All weights, 2,048 tokens': 'step.full.2048',
      'How even steps are': 'spread',
    },
  },
  memory: {
    title: 'Memory and length',
    about:
      'LoRA on SmolLM2-135M. Lengths are multiples of 128 tokens, and each was measured to fit. A plan is what `dropbp plan` says beforehand.',
    parts: {
      'In 4 GiB': 'growth.lora',
      'With gradient checkpointing, in 2 GiB': 'checkpointing',
      'Plans beside peaks': 'plan',
    },
  },
  'loss-against-time': {
    title: 'Held-out loss against time',
    about:
      "Training on the King James Bible, AdamW with a cosine, at the best learning rate of those tried with the first seed; means over the seeds. *Time of the run* is relative to the run without drops, with the measuring of sensitivities. `depth` is what `dropBP({ rate })` does, `reference` the authors' algorithm, `upper …` trains adapters of the upper layers alone, and `× 0.7 steps` is a run of fewer steps.",
    parts: {
      'All weights, small model': 'austen.full',
      'All weights, small model, four times the tokens a step': 'austen.full.accumulation',
      'All weights, small model, ten times the steps': 'austen.full.long',
      'All weights, SmolLM2-135M': 'smollm2.full',
      'LoRA, SmolLM2-135M': 'smollm2.lora',
      "LoRA, SmolLM2-135M, on Jane Austen's novels": 'smollm2.lora.austen',
      'LoRA, small model': 'austen.lora',
      'LoRA, small model, four times the tokens a step': 'austen.lora.accumulation',
      'What dropped layers were worth': 'worth.layers',
    },
  },
  prompts: {
    title: 'Dropped prompts',
    about:
      'LoRA, with the prompt running forward only. [When dropping pays](../../docs/when-drops-pay.md) explains r, s and ρ.',
    parts: { 'What a step was worth': 'worth.prompts', 'Steps of SmolLM2-135M on 2,048 tokens': 'worth.promptSteps' },
  },
  adapters: {
    title: 'Every adapter with DropBP',
    about:
      'The small model on the King James Bible, 150 steps of 2 × 256 tokens. Each method runs at the best of four learning rates or more. Step times come from one round of 16 steps.',
    parts: { 'All methods': 'adapters' },
  },
  'packed-weights': {
    title: 'Weights in fewer bits',
    about:
      'SmolLM2-135M, frozen weights in 16, 8 and 4 bits. [The guide](../../docs/quantised.md) says how to use them.',
    parts: {
      Steps: 'packed.steps',
      Length: 'packed.length',
      Generation: 'packed.generation',
      'Loading a model of 1.2 billion parameters, random weights': 'loading',
    },
  },
  browser: {
    title: 'Training in a browser',
    about: 'LoRA of rank 16 on all linear layers of the small model, 4 × 128 tokens a step, in Chromium without a GPU.',
    parts: { 'Backends of the page': 'browser' },
  },
};

/** Path from the root → text of each page. */
export function experimentPages(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(experiments).map(([name, { title, about, parts }]) => {
      const sections = Object.entries(parts).map(([heading, table]) => `## ${heading}\n\n${tables[table]!()}`);
      return [
        `bench/results/${name}.md`,
        `# ${title}\n\n${about} Written by \`npx tsx bench/fillTables.ts\`.\n\n${sections.join('\n\n')}\n`,
      ];
    }),
  );
}
