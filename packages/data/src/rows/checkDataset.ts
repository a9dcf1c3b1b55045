import { checkValue } from '@dropbp/basics';

/** Refuses what is no data set, such as the promise of one. @param subject - the function that was called */
export function checkDataset(subject: string, dataset: unknown): void {
  checkValue('data', `${subject}: the data set`, dataset, isDataset, 'what openDataset() gives', 'it needs an await');
}

function isDataset(given: unknown): boolean {
  return typeof given === 'object' && given !== null && 'rows' in given && 'format' in given;
}
