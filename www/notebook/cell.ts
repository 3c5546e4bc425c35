// What a cell of the notebook is, and how the lines of code are counted.

export interface Cell {
  /** names the cell in addresses and tests */
  id: string;
  title: string;
  /** what it shows, in two or three sentences; `code` stands between backticks */
  prose: string;
  /** the libraries of the Python */
  libraries: string;
  /** the Python that it replaces */
  python: string;
  /** the JavaScript, which is run as it is shown */
  code: string;
  /** the parameters of the lab's address that show the same, beside the text */
  lab?: Readonly<Record<string, string>>;
}

/** The lines that hold code: blank lines and lines of comments do not count. */
export function countLines(code: string): number {
  return code.split("\n").filter((line) => !/^\s*($|#|\/\/)/.test(line)).length;
}
