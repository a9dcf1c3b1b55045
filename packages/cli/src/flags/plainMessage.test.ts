import { problem } from '@dropbp/basics';
import { describe, expect, it } from 'vitest';
import { commands } from '../commands.ts';
import { plainMessage } from './plainMessage.ts';

const flagsOf = (name: string) => commands.find(command => command.name === name)!.flags;
const said = (message: string, command = 'train') =>
  plainMessage({ package: 'dropbp', message: `[@dropbp/dropbp] ${message}` }, flagsOf(command));

describe('plainMessage', () => {
  it.each([
    // An option is a flag where it is refused, has a value, or is of two words.
    ['rank is not usable; got 0.5; expected an integer ≥ 1; start with rank: 8.', '--rank is not usable; got 0.5; expected an integer ≥ 1; start with --rank 8.'],
    ['minRate is not usable; got 0.4; expected a number in [0, 0.2].', '--min-rate is not usable; got 0.4; expected a number in [0, 0.2].'],
    ['allocation is unknown; got "minmax"; did you mean \'minimax\'?', "--allocation is unknown; got \"minmax\"; did you mean 'minimax'?"],
    ["leave it out, or use allocation: 'minimax'.", 'leave it out, or use --allocation minimax.'],
    ["sampling 'nested' can keep too much in a step for a budget of memory.", '--sampling nested can keep too much in a step for a budget of memory.'],
    ["initialization 'orthogonal' divides the rank of 'layers.0.q_proj' in two; got 3.", "--init-lora-weights orthogonal divides the rank of 'layers.0.q_proj' in two; got 3."],
    ["targetModules: 'q_prj' matches none of the 75 modules.", '--target-modules q_prj matches none of the 75 modules.'],
    ["pass targetModules: ['k_proj', 'v_proj'].", 'pass --target-modules k_proj,v_proj.'],
    ["parts: ['norms'] is the nearest thing that it has.", '--parts norms is the nearest thing that it has.'],
    ['modulesToSave names what targetModules does not.', '--modules-to-save names what --target-modules does not.'],
    ['set maxGradientNorm: 1e-3, and accumulation: 1.', 'set --max-gradient-norm 1e-3, and --accumulation 1.'],
    ['expected memory to be at least 0.32 GiB; without drops a step takes 1 GiB.', 'expected --memory to be at least 0.32 GiB; without drops a step takes 1 GiB.'],
    ['allocation would have no effect with calibration: false; leave out allocation, or let calibration happen.', '--allocation would have no effect with --no-calibration; leave out --allocation, or let calibration happen.'],
    ["targetModules matches no module of the model; got \"q_proj\"; did you mean ['q_proj']?", '--target-modules matches no module of the model; got "q_proj"; did you mean q_proj, without slashes?'],
    // Several options, all or none of them of one word.
    ['rate and timeSaved are given; expected one of rate, timeSaved and memory.', '--rate and --time-saved are given; expected one of --rate, --time-saved and --memory.'],
    ['epochs and steps both say where the batches end.', '--epochs and --steps both say where the batches end.'],
    // What the command calls otherwise.
    ['calibration.at is not usable; got 2.', '--calibrate-at is not usable; got 2.'],
    ['pass checkpointing: true to compose(), or take shorter sequences.', 'pass --checkpointing, or take shorter sequences.'],
    ['schedule.from has no effect without schedule.ramp.', '--drop-from has no effect without --drop-ramp.'],
    ["mend the row, or leave such rows out with badRows: 'skip'.", 'mend the row, or leave such rows out with --skip-bad-rows.'],
    ["such as columns: { prompt: 'question', completion: 'answer' }.", 'such as --columns prompt=question,completion=answer.'],
  ])('names flags: %s', (message, expected) => {
    expect(said(message)).toBe(expected);
  }); // prettier-ignore

  it.each([
    'the adapter does not fit the model: 0 of its 112 tensors match; use the model that it was made for.',
    'the text would be longer than the model has positions for; got 600 tokens; expected at most 512.',
    'expected timeless words for this model and adapter.',
    "there is an adapter 'french' already.",
    'the configuration holds {"rank":8,"targetModules":["q_proj"]}.',
    "config.json: 'rank' and 'alpha' lie in model/rank.json, of my-rank: 8 and rank-8.",
    'rank(8) and steps() are functions; data.rank is a path.',
    'no row gives a token that counts, at a rate of 0.5, in a batch of 4.',
  ])('leaves words alone: %s', message => {
    expect(said(message)).toBe(message);
  });

  it('leaves out the function that speaks', () => {
    const message = 'generate(): topK and topP choose nothing; set a temperature, such as 1.';
    expect(said(message, 'generate')).toBe('--top-k and --top-p choose nothing; set a temperature, such as 1.');
  });
  it('knows the flags of the command alone', () => {
    expect(said("targetModules: 'q_prj' matches nothing.", 'generate')).toBe("targetModules: 'q_prj' matches nothing.");
  });
  it('changes no word of its own messages', () => {
    const fix = "write rank: 8 into the file, or leave 'rank' out";
    expect(plainMessage(problem('cli', { what: 'x', fix }), flagsOf('train'))).toBe(`x; ${fix}.`);
  });
});
