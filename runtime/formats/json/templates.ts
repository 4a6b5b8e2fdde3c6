/**
 * The few record shapes of one input, learnt from its records: a template for each, tried in turn; the way over JSON.parse for the rest.
 * An input without such shapes stops paying for the attempt.
 */
import type { SplitOutput } from '../../core/source.ts'
import type { Cursor } from './scan.ts'
import { compileTemplate, type Template, type TemplateMode } from './template.ts'

const TEMPLATES_MAX = 4
/** Records that JSON.parse had to read before another template is tried. */
const MISSES_PER_TEMPLATE = 8
/** Records after which it is asked whether the templates are worth their time. */
const REVIEW_AFTER = 4096

export class Templates {
  readonly #mode: TemplateMode
  #templates: Template[] = []
  #givenUp = false
  #misses = 0
  #hits = 0
  /** Misses at which the next template may be learnt: the first at once. */
  #learnAt = 1
  readonly cursor: Cursor = { at: 0, count: 0 }

  constructor(mode: TemplateMode) {
    this.#mode = mode
  }

  /** There is a template to try. */
  get learnt(): boolean {
    return this.#templates.length > 0
  }

  /** As {@link TemplateParser}, over all templates; `cursor.count` is the sum. */
  parse(
    d: Buffer,
    view: DataView,
    text: string,
    base: number,
    p: number,
    end: number,
    limit: number,
    max: number,
    output: SplitOutput<any>,
  ): number {
    const { cursor } = this
    const templates = this.#templates
    let total = 0
    let fruitless = 0
    for (
      let i = 0;
      fruitless < templates.length && total < max && p < limit;
      i = i + 1 === templates.length ? 0 : i + 1
    ) {
      p = templates[i]!.parse(d, view, text, base, p, end, limit, max - total, output, cursor)
      if (cursor.count === 0) fruitless++
      else fruitless = 0
      total += cursor.count
    }
    cursor.count = total
    this.#hits += total
    return p
  }

  /** JSON.parse has read d[start, end). */
  missed(d: Buffer, start: number, end: number): void {
    if (this.#givenUp) return
    this.#misses++
    if (this.#misses + this.#hits >= REVIEW_AFTER) {
      this.#givenUp = this.#misses > this.#hits && this.#templates.length === TEMPLATES_MAX
      if (this.#givenUp) this.#templates = []
      this.#misses = 0
      this.#hits = 0
      this.#learnAt = MISSES_PER_TEMPLATE
    } else if (this.#misses >= this.#learnAt && this.#templates.length < TEMPLATES_MAX) {
      this.#learnAt = this.#misses + MISSES_PER_TEMPLATE
      const template = compileTemplate(d, start, end, this.#mode)
      if (template !== undefined && !this.#templates.some((known) => known.signature === template.signature))
        this.#templates.push(template)
    }
  }
}
