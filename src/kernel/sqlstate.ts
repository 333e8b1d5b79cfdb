// Which five characters are a code of Postgres. Code of the product can raise any others.

/** A SQLSTATE of a class that Postgres has. */
export const SQLSTATE = /^(0[0-389ABFLPZ]|10|2[0-8BDF]|3[489BDF]|4[024]|5[34578]|72|F0|HV|P0|XX)[0-9A-Z]{3}$/u;
