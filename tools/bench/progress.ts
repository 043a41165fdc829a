/** Says what is being done now. */
export type Progress = (doing: string) => void;

/** On a terminal one line that is overwritten; elsewhere silence, so that a log is not flooded. */
export function terminalProgress(output: NodeJS.WriteStream): Progress & { clear(): void } {
  const write = (text: string): void => {
    if (output.isTTY) output.write(`\r\u001B[K${text.slice(0, output.columns - 1)}`);
  };
  return Object.assign(write, { clear: () => write("") });
}

export const noProgress: Progress = () => undefined;
