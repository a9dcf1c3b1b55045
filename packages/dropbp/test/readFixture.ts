import { readFileSync } from 'node:fs';

export interface AllocationCase {
  kind: string;
  sensitivities: (number | string)[];
  flops: (number | string)[];
  p: number;
  minRate: number;
  target: number;
  rates: number[];
}
export interface AllocationFixture {
  cases: AllocationCase[];
  emptiesHeap: { cases: (AllocationCase & { portRatesWhenEmptied: number[] })[] };
  nonFinite: { cases: AllocationCase[] };
}
export interface DrawFixture {
  cases: { kind: string; rates: number[]; p: number; uniforms: number[]; bernoulli: number[]; dropped: number[] }[];
}
export interface SensitivityFixture {
  patterns: { drop: number[]; gradNorms: Record<string, number | null> }[];
  sensitivity: { gradnorm: number[]; rates: { p: number; minRate: number; rates: number[] }[] };
}
export interface GoldenFixture {
  model: { flops: number[] };
  lora: SensitivityFixture;
  full: SensitivityFixture;
}

interface Fixtures {
  allocate_public: AllocationFixture;
  draw_public: DrawFixture;
  golden_sensitivity: GoldenFixture;
}

export function readFixture<Name extends keyof Fixtures>(name: Name): Fixtures[Name] {
  return JSON.parse(readFileSync(new URL(`./fixtures/${name}.json`, import.meta.url), 'utf8')) as Fixtures[Name];
}
