import type { Command } from './flags/command.ts';
import { classifyCommand } from './commands/classify/classifyCommand.ts';
import { evaluateCommand } from './commands/evaluate/evaluateCommand.ts';
import { exportCommand } from './commands/export/exportCommand.ts';
import { generateCommand } from './commands/generate/generateCommand.ts';
import { inspectCommand } from './commands/inspect/inspectCommand.ts';
import { mergeCommand } from './commands/merge/mergeCommand.ts';
import { planCommand } from './commands/plan/planCommand.ts';
import { pushCommand } from './commands/push/pushCommand.ts';
import { reportCommand } from './commands/report/reportCommand.ts';
import { serveCommand } from './commands/serve/serveCommand.ts';
import { trainCommand } from './commands/train/trainCommand.ts';

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  trainCommand,
  planCommand,
  generateCommand,
  evaluateCommand,
  classifyCommand,
  mergeCommand,
  exportCommand,
  serveCommand,
  pushCommand,
  inspectCommand,
  reportCommand,
];
