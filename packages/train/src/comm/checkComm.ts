import { checkValue } from '@dropbp/basics';
import { hasMethods } from '../options/hasMethods.ts';
import type { Comm } from './comm.ts';

/** @throws Problem for what is no Comm, such as the promise of one */
export function checkComm(comm: Comm): void {
  const fix = 'wait for it: await mpiComm()';
  checkValue('train', 'comm', comm, isComm, 'a Comm, such as mpiComm() or soloComm() makes', fix);
}

function isComm(comm: Comm): boolean {
  if (!hasMethods(comm, ['allReduceSum', 'broadcast', 'barrier', 'abort', 'close'])) return false;
  return Number.isSafeInteger(comm.size) && Number.isSafeInteger(comm.rank) && comm.rank >= 0 && comm.rank < comm.size;
}
