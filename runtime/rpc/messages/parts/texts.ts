/** Texts that may be long. */

/** Of a log or a dump, in one answer. */
export const TEXT_CHARS_MAX = 2 ** 20
