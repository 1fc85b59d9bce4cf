/** Where tiles stand: from left to right in the order of their description, a new row where one does not fit. */

/** Columns of the grid in documents of version 21. */
export const GRID_COLUMNS = 24;

export interface TileSize {
  /** Columns, 1 to GRID_COLUMNS. */
  readonly w: number;
  /** Rows of the grid, at least 1. */
  readonly h: number;
}

export interface TilePlace extends TileSize {
  readonly x: number;
  readonly y: number;
}

/** A row is as high as its highest tile: nothing overlaps, whatever the sizes. */
export function placeTiles(sizes: readonly TileSize[]): readonly TilePlace[] {
  let x = 0;
  let y = 0;
  let rowHeight = 0;
  return sizes.map(({ w, h }) => {
    if (x + w > GRID_COLUMNS) {
      x = 0;
      y += rowHeight;
      rowHeight = 0;
    }
    const place = { x, y, w, h };
    x += w;
    rowHeight = Math.max(rowHeight, h);
    return place;
  });
}
