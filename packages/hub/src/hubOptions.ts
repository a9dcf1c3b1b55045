/** How far a download is. Bytes count over all files of the snapshot, those that are there already included. */
export interface HubProgress {
  /** The file that moved, by its path in the repository. */
  readonly file: string;
  /** Bytes that have come, those of earlier attempts included. */
  readonly receivedBytes: number;
  /** Bytes that are wanted. */
  readonly totalBytes: number;
  /** Files that are complete. */
  readonly filesDone: number;
  /** Files that are wanted. */
  readonly filesTotal: number;
}

/** How long a broken connection is tried again. */
export interface HubRetry {
  /** How many times in a row a request may fail without one new byte. @defaultValue 5 */
  readonly attempts?: number;
  /** The wait after the first failure; each further one doubles it, up to 8 s. @defaultValue 500 */
  readonly firstDelayMs?: number;
  /** The silence after which a connection counts as broken. @defaultValue 30000 */
  readonly silenceMs?: number;
}

/** How a model or an adapter is fetched from the hub. Variables of the environment are those of Python's `huggingface_hub`. */
export interface HubOptions {
  /** A branch, a tag or a commit. @defaultValue 'main' */
  readonly revision?: string;
  /**
   * An access token, for private and gated models; `''` sends none.
   *
   * @defaultValue `HF_TOKEN`, else what `hf auth login` stored
   */
  readonly token?: string;
  /** The folder of the cache. @defaultValue `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub` */
  readonly cacheDirectory?: string;
  /** The address of the hub. @defaultValue `HF_ENDPOINT`, else https://huggingface.co */
  readonly endpoint?: string;
  /** Called about ten times a second while files arrive, and after each file. */
  readonly onProgress?: (progress: HubProgress) => void;
  /** Ends the download: the promise then rejects with the signal's reason. What has arrived is kept. */
  readonly signal?: AbortSignal;
  /** Use the cache alone. @defaultValue whether `HF_HUB_OFFLINE` is 1 */
  readonly offline?: boolean;
  /** What speaks HTTP, to go through a proxy for example. @defaultValue the global `fetch` */
  readonly fetch?: typeof fetch;
  /** How often and when a failed request is made again. */
  readonly retry?: HubRetry;
}

/** How an adapter is fetched from the hub. */
export interface AdapterHubOptions extends HubOptions {
  /** The folder inside the repository, or the local folder, that holds the adapter. @defaultValue its root */
  readonly subfolder?: string;
}
