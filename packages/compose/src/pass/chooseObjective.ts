import { checkNumber, checkValue, problem, ranges } from '@dropbp/basics';
import { causal, type Objective } from '@dropbp/core';
import type { ComposeOptions } from '../composeOptions.ts';
import { lossFunctionObjective } from './lossFunction.ts';

/** The objective that options ask for: predicting the next token, where they ask for none. @throws Problem if it is not usable */
export function chooseObjective({ objective, loss }: Pick<ComposeOptions, 'objective' | 'loss'>): Objective {
  if (objective === undefined) return loss === undefined ? usual : lossFunctionObjective(loss);
  if (loss !== undefined) {
    throw problem('compose', {
      what: 'both a loss and an objective are given',
      expected: 'one of the two',
      fix: 'leave out loss, or write it as an objective',
    });
  }
  return checkObjective(objective);
}

const usual = causal();

function checkObjective(objective: Objective): Objective {
  checkValue<unknown>('compose', 'objective', objective, isObjective, 'an objective, such as causal() makes');
  if (objective.groupSize !== undefined)
    checkNumber('compose', "the objective's groupSize", objective.groupSize, ranges.count);
  if (objective.dividesTexts !== true || objective.labelledRows !== undefined) return objective;
  throw problem('compose', {
    what: `the objective '${objective.name}' divides texts without labelledRows`,
    expected: 'labelledRows, from which texts are divided',
    fix: 'add it, or leave out dividesTexts',
  });
}

function isObjective(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { name, unit, taskType, labels, prepare } = value as Partial<Objective>;
  const hasTexts = [name, unit, taskType].every(text => typeof text === 'string');
  return hasTexts && Array.isArray(labels) && typeof prepare === 'function';
}
