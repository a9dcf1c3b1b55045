/** A piece of prose, where it stands, and whether its sentences count in {@link summarise}. */
export interface Prose {
  readonly file: string;
  readonly line: number;
  readonly kind: string;
  readonly text: string;
  /** What is wrong with it whatever its words are. */
  readonly flaw?: string;
  readonly isCounted: boolean;
}

/** A sentence that breaks a rule. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  readonly text: string;
}

export function markdownTexts(file: string, content: string): Prose[];
export function sourceTexts(file: string, content: string): Prose[];
export function findingsOf(prose: Prose): Finding[];
export function summarise(
  texts: readonly Prose[],
): { kind: string; sentences: number; median: number; ninetieth: number }[];
export function compareCounts(
  counts: Readonly<Record<string, number>>,
  allowed: Readonly<Record<string, number>>,
): { wrong: string[]; lowered: Record<string, number> };
