import type { Command } from './flags/command.ts';
import { evaluateCommand } from './evaluate/evaluateCommand.ts';
import { generateCommand } from './generate/generateCommand.ts';
import { inspectCommand } from './inspect/inspectCommand.ts';
import { mergeCommand } from './merge/mergeCommand.ts';
import { planCommand } from './plan/planCommand.ts';
import { reportCommand } from './report/reportCommand.ts';
import { trainCommand } from './run/trainCommand.ts';

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  trainCommand,
  planCommand,
  generateCommand,
  evaluateCommand,
  mergeCommand,
  inspectCommand,
  reportCommand,
];
