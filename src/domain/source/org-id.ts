// How long an id of an org may be: an index holds at most 2,704 bytes of an entry, and some of ours have more in it.

/** In the encoding of the cell's database. */
export const MAX_ORG_ID_BYTES = 2_000;
