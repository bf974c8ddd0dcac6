/**
 * Which part of a long log is drawn. Items stand in blocks by their seq, so that a block stays the same one whatever is
 * loaded above it; a block that was drawn has its measured height, any other an estimate. Pure.
 */

import type { Seq } from "@chatx/sdk";
import type { Item } from "./timeline";

export interface Block {
  key: number;
  /** Its items, by their index: from `start` up to, not including, `end`. */
  start: number;
  end: number;
}

/** What is drawn: blocks from `from` up to, not including, `to`, and how high what is left out above and below is. */
export interface Drawn {
  from: number;
  to: number;
  above: number;
  below: number;
}

const seqsOfBlock = 24;
/** What one item is thought to need, in pixels, until something was measured. */
const firstGuess = 46;

export function blockOf(seq: Seq): number {
  return Math.floor(seq / seqsOfBlock);
}

export function toBlocks(items: readonly Item[]): Block[] {
  const blocks: Block[] = [];
  let last: Block | undefined;
  for (let index = 0; index < items.length; index += 1) {
    const key = blockOf(items[index]?.seq ?? 0);
    if (last?.key === key) last.end = index + 1;
    else blocks.push((last = { key, start: index, end: index + 1 }));
  }
  return blocks;
}

/** The block of that key, if it is among these. By halves, for blocks are in order. */
export function blockAt(blocks: readonly Block[], key: number): Block | undefined {
  let low = 0;
  let high = blocks.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const block = blocks[middle];
    if (block === undefined || block.key === key) return block;
    if (block.key < key) low = middle + 1;
    else high = middle - 1;
  }
  return undefined;
}

export class Heights {
  private readonly measured = new Map<number, number>();
  private sum = 0;
  private items = 0;
  private readonly itemsOf = new Map<number, number>();

  /** Whether anything is known by it that was not. */
  measure(block: Block, height: number): boolean {
    const before = this.measured.get(block.key);
    const count = block.end - block.start;
    if (before !== undefined && Math.abs(before - height) < 0.5 && this.itemsOf.get(block.key) === count) return false;
    this.sum += height - (before ?? 0);
    this.items += count - (this.itemsOf.get(block.key) ?? 0);
    this.measured.set(block.key, height);
    this.itemsOf.set(block.key, count);
    return true;
  }

  /** A block that grew since it was measured is guessed again. */
  of(block: Block): number {
    const count = block.end - block.start;
    const known = this.measured.get(block.key);
    if (known !== undefined && this.itemsOf.get(block.key) === count) return known;
    return count * (this.items > 20 ? this.sum / this.items : firstGuess);
  }

  /** What to draw to fill from `top` to `bottom`, counted from the first block's upper edge. */
  drawn(blocks: readonly Block[], top: number, bottom: number): Drawn {
    let from = 0;
    let above = 0;
    while (from < blocks.length - 1) {
      const height = this.of(blocks[from] as Block);
      if (above + height > top) break;
      above += height;
      from += 1;
    }
    let to = from;
    let reached = above;
    while (to < blocks.length && (reached < bottom || to === from)) reached += this.of(blocks[to++] as Block);
    let below = 0;
    for (let index = to; index < blocks.length; index += 1) below += this.of(blocks[index] as Block);
    return { from, to, above, below };
  }

  /** How far down a block begins. */
  offset(blocks: readonly Block[], key: number): number {
    let above = 0;
    for (const block of blocks) {
      if (block.key >= key) break;
      above += this.of(block);
    }
    return above;
  }

  forget(): void {
    this.measured.clear();
    this.itemsOf.clear();
    this.sum = this.items = 0;
  }
}
