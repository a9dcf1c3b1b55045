import { zipSync } from 'fflate';

/** Hands files to the visitor as one archive. */
export function download(files: ReadonlyMap<string, Uint8Array>, name: string): void {
  const archive = zipSync(Object.fromEntries(files), { level: 6 });
  const url = URL.createObjectURL(new Blob([archive], { type: 'application/zip' }));
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
