/** Bugs of one area in one file, each with the text that it replaces, and the tests that are to notice them. */
export const listBugs = (area, file, test, list) =>
  Object.entries(list).map(([what, [find, put]]) => ({
    name: `${area}: ${what}`,
    file,
    find,
    put,
    tests: [test].flat(),
  }));
