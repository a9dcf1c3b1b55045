import type { Command } from './flags/command.ts';
import { generateCommand } from './generate/generateCommand.ts';
import { inspectCommand } from './inspect/inspectCommand.ts';
import { planCommand } from './plan/planCommand.ts';
import { reportCommand } from './report/reportCommand.ts';
import { trainCommand } from './run/trainCommand.ts';

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [trainCommand, planCommand, generateCommand, inspectCommand, reportCommand];
