import type { ProblemDetails } from '@dropbp/basics';

/** Why a row cannot be used. Whoever knows where the row stands makes a problem of it. */
export class RowFault extends Error {
  readonly details: ProblemDetails;

  constructor(details: ProblemDetails) {
    super(details.what);
    this.details = details;
  }
}
