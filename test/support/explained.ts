// What a caller of the engine makes of a failure before anybody sees it, as the command line does.
import { explainFailure } from '../../src/engine/database-errors.js';

/** The same promise; what it throws is explained. */
export const explained = <T>(work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    throw explainFailure(error);
  });
