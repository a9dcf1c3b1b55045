import type { FileMetaData, SchemaElement, SchemaTree } from 'hyparquet';

/** Of annotations as of elements, those of groups. */
const groupAnnotations: readonly unknown[] = ['LIST', 'MAP', 'MAP_KEY_VALUE'];
const newerAnnotations: Readonly<Record<string, 'LIST' | 'MAP' | 'UTF8'>> = {
  LIST: 'LIST',
  MAP: 'MAP',
  STRING: 'UTF8',
};

/** An element with its newer annotation where it has one: the reader knows the older ones alone. */
export function withOneAnnotation(element: SchemaElement): SchemaElement {
  const newer = newerAnnotations[element.logical_type?.type ?? ''];
  const annotation = newer ?? element.converted_type;
  const isGroup = (element.num_children ?? 0) > 0;
  if (annotation !== undefined && isGroup !== groupAnnotations.includes(annotation)) {
    throw new Error(`'${element.name}' cannot be a ${annotation}`);
  }
  if (isGroup && annotation !== undefined && annotation !== 'MAP_KEY_VALUE' && element.repetition_type === 'REPEATED') {
    throw new Error(`the ${annotation} '${element.name}' is repeated`);
  }
  return newer === undefined ? element : { ...element, converted_type: newer };
}

/** Columns in the order of the schema, as groups of rows have them. */
export function leavesOf(tree: SchemaTree): SchemaTree[] {
  if (tree.children.length === 0) return [tree];
  if (tree.element.converted_type === 'LIST') {
    const [list, ...others] = tree.children;
    if (list?.element.repetition_type !== 'REPEATED' || others.length > 0) {
      throw new Error(`the list '${tree.element.name}' is not made of one repeated part`);
    }
  }
  return tree.children.flatMap(leavesOf);
}

/** The columns of the rows. @throws Error where elements are left over */
export function columnNames({ schema }: FileMetaData): string[] {
  const names: string[] = [];
  const root = schema[0];
  let at = 1;
  for (let left = root?.num_children ?? 0; left > 0 && at < schema.length; left--) {
    names.push(schema[at]!.name);
    let inside = 1; // goes past the element and all below it
    while (inside > 0 && at < schema.length) inside += (schema[at++]!.num_children ?? 0) - 1;
  }
  if (at !== schema.length) throw new Error('the schema holds more than its columns');
  return names;
}
