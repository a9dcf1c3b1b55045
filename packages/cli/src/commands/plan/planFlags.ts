import { number, positiveInteger, share, toggle, type Flag, type FlagValues } from '../../flags/flag.ts';
import { dropFlags } from '../../flags/tables/dropFlags.ts';
import { costFlags, methodSections } from '../../flags/tables/methodFlags.ts';
import { checkpointingFlag, modelFlag, revisionFlag, weightsFlag, backendFlag } from '../../flags/tables/modelFlags.ts';
import { trainFlags } from '../../flags/tables/trainFlags.ts';

const { seed } = trainFlags;
const { timeSaved, memory } = dropFlags;

/** The flags of `dropbp plan`: those of a run that decide what a step costs. */
export const planFlags = {
  model: modelFlag('the model to fine-tune'),
  revision: revisionFlag(),
  batch: number(positiveInteger, 'sequences in a batch', 8),
  time: { ...number(positiveInteger, 'tokens in a sequence'), defaultText: '128, or as many as the model can' },
  promptShare: number(share, 'share of each sequence that is a prompt, to plan with dropped prompts too', 0),
  rates: rates('drop rates to plan for', [0, 0.25, 0.5, 0.75, 0.875]),
  timeSaved: { ...timeSaved, help: "share of a step's FLOPs to save, to be solved to a rate" },
  memory: { ...memory, help: "what a step may use, to be solved to a rate: '4GiB'" },
  noProbe: toggle('no times: they take a few short passes'),

  ...costFlags,

  weights: weightsFlag(),
  checkpointing: checkpointingFlag(),
  seed,
  backend: backendFlag(),
  json: toggle('print the plan as one JSON object'),
};

/** Titles in the help. */
export const planSections = { ...methodSections, weights: 'Other' };

/** The values of {@link planFlags}. */
export type PlanFlagValues = FlagValues<typeof planFlags>;

/** Several shares: '0,0.5' on the command line, a list in a file. */
function rates(help: string, fallback: readonly number[]): Flag<readonly number[]> {
  const one = number(share, '', 0);
  return {
    placeholder: '<n,n,…>',
    help,
    fallback,
    defaultText: fallback.join(','),
    schema: { type: 'array', items: share.schema },
    read: (given, name) => given.split(',').map(part => one.read(part, name)),
    take: (value, name) => (Array.isArray(value) ? value.map(part => one.take(part, name)) : [one.take(value, name)]),
  };
}
