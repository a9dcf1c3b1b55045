import { checkValue } from '@dropbp/basics';

/** @throws Problem for what is no path */
export function checkFolderPath(name: string, path: string, fix?: string): void {
  checkValue<unknown>('train', name, path, isPath, 'the path of a folder', fix);
}

function isPath(path: unknown): boolean {
  return typeof path === 'string' && path !== '';
}
