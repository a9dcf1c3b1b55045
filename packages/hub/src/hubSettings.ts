import { checkOptions, problem } from '@dropbp/basics';
import { checkHubId, checkRevision } from './list/checkHubId.ts';
import { hubLibrary, hostModules } from './cache/hostModules.ts';
import type { Content } from './list/content.ts';
import type { HubOptions, HubProgress, HubRetry } from './hubOptions.ts';

/** An access token, and where it was found, for messages. */
export interface HubToken {
  readonly value: string;
  readonly origin: string;
}

/** Everything a download depends on: the options with their defaults. */
export interface HubSettings {
  readonly id: string;
  readonly content: Content;
  readonly revision: string;
  readonly token: HubToken | undefined;
  readonly cacheDirectory: string;
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly offline: boolean;
  readonly fetch: typeof fetch;
  readonly retry: Required<HubRetry>;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: HubProgress) => void) | undefined;
}

/**
 * Checks the options and fills in what the environment says.
 *
 * @throws Problem
 */
export async function hubSettings(
  id: string,
  options: HubOptions,
  content: Content,
  caller: string,
): Promise<HubSettings> {
  checkOptions('hub', caller, options, [
    'revision',
    'token',
    'cacheDirectory',
    'endpoint',
    'onProgress',
    'signal',
    'offline',
    'fetch',
    'retry',
  ]);
  const { revision = 'main', retry = {}, signal, onProgress } = options;
  checkOptions('hub', 'retry', retry, ['attempts', 'firstDelayMs', 'silenceMs']);
  checkHubId(id);
  checkRevision(revision);
  const { env } = hostModules().process;
  const hub = await hubLibrary();
  return {
    id,
    content,
    revision,
    token: await findToken(options.token),
    cacheDirectory: hostModules().path.resolve(expand(options.cacheDirectory ?? hub.getHFHubCachePath())),
    endpoint: checkEndpoint(options.endpoint ?? firstSet(env.HF_ENDPOINT, hub.HUB_URL)),
    offline: options.offline ?? isOn(firstSet(env.HF_HUB_OFFLINE, env.TRANSFORMERS_OFFLINE)),
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    retry: checkRetry({ attempts: 5, firstDelayMs: 500, silenceMs: 30_000, ...retry }),
    signal,
    onProgress,
  };
}

function checkRetry(retry: Required<HubRetry>): Required<HubRetry> {
  const { attempts, firstDelayMs, silenceMs } = retry;
  if (Number.isInteger(attempts) && attempts >= 1 && firstDelayMs >= 0 && silenceMs > 0) return retry;
  throw problem('hub', {
    what: 'retry is not usable',
    got: retry,
    expected: 'attempts an integer ≥ 1, firstDelayMs ≥ 0 and silenceMs > 0',
  });
}

function checkEndpoint(endpoint: string): string {
  if (/^https?:\/\/./.test(endpoint) && URL.canParse(endpoint)) return endpoint.replace(/\/+$/, '');
  throw problem('hub', {
    what: 'this is no address of a hub',
    got: endpoint,
    expected: 'an address such as https://huggingface.co',
    fix: 'look at the option endpoint and at HF_ENDPOINT',
  });
}

async function findToken(option: string | undefined): Promise<HubToken | undefined> {
  if (option !== undefined) return clean(option, 'the option token');
  const { fs, path, process } = hostModules();
  const { env } = process;
  if (isOn(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  for (const name of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) {
    const token = clean(env[name] ?? '', name);
    if (token !== undefined) return token;
  }
  const file = expand(env.HF_TOKEN_PATH ?? path.join(huggingFaceHome(), 'token'));
  return fs.readFile(file, 'utf8').then(
    text => clean(text, file),
    () => undefined,
  );
}

/** The folder of Python's hub library, in which the cache and the token lie. */
function huggingFaceHome(): string {
  const { path, process } = hostModules();
  const { HF_HOME: home, XDG_CACHE_HOME: caches = path.join('~', '.cache') } = process.env;
  return home ?? path.join(caches, 'huggingface');
}

function clean(text: string, origin: string): HubToken | undefined {
  const value = text.replace(/[\r\n]/g, '').trim();
  if (value === '') return undefined;
  if (/^[!-~]+$/.test(value)) return { value, origin };
  throw problem('hub', {
    what: `the token (from ${origin}) is unusable`,
    expected: 'letters, digits and signs without spaces',
  });
}

/** `~` and `$NAME` in a path, as Python's library expands them; an unknown name stays. */
function expand(path: string): string {
  const { os, process } = hostModules();
  return path
    .replace(/^~(?=$|[/\\])/, os.homedir())
    .replace(/\$(?:(\w+)|\{(\w+)\})/g, (all, plain: string, braced: string) => process.env[plain || braced] ?? all);
}

/** A variable of the environment that is empty counts as absent. */
function firstSet(...values: (string | undefined)[]): string {
  return values.find(value => value !== undefined && value !== '') ?? '';
}

function isOn(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? '');
}
