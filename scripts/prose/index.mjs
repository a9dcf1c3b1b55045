// What checkProse.mjs is made of, with one file of types for its tests.
export { compareCounts } from './compareCounts.mjs';
export { findingsOf } from './findings.mjs';
export { markdownTexts } from './markdownTexts.mjs';
export { sourceTexts } from './sourceTexts.mjs';
export { summarise } from './summarise.mjs';
