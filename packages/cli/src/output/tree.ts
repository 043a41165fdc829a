/** A line and what hangs below it. */
export interface TreeNode {
  readonly text: string;
  readonly children: readonly TreeNode[];
}

/** The tree with box characters, one line a node. */
export const renderTree = (root: TreeNode): string => `${root.text}\n${renderChildren(root, "")}`;

function renderChildren({ children }: TreeNode, indent: string): string {
  return children
    .map((child, index) => {
      const isLast = index === children.length - 1;
      const below = renderChildren(child, `${indent}${isLast ? "   " : "│  "}`);
      return `${indent}${isLast ? "└─ " : "├─ "}${child.text}\n${below}`;
    })
    .join("");
}
