/** Fetches the model of the test hub into a cache: the program that is stopped in between. */
import { resolveHubSnapshot } from '@dropbp/hub';

const [endpoint = '', cacheDirectory = ''] = process.argv.slice(2);
try {
  console.error(await resolveHubSnapshot('org/tiny-model', { endpoint, cacheDirectory, token: '' }));
} catch (error) {
  console.error(`dropbp fetch: ${(error as Error).message}`);
  process.exitCode = 1;
}
