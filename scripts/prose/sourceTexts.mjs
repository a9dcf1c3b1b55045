import ts from 'typescript';

/** Keys of an error's details that its reader sees as sentences. */
const errorParts = ['what', 'expected', 'fix'];

/** The errors, help texts and public docstrings of a TypeScript file. What a template fills in counts as one word. */
export function sourceTexts(file, content) {
  const source = ts.createSourceFile(file, content, ts.ScriptTarget.Latest, true);
  const flagMakers = file.startsWith('packages/cli/')
    ? importedFrom(source, /(^|\/)(flag|modelFlags)\.ts$/)
    : new Set();
  const texts = [];
  const add = (node, kind, text, flaw) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    if (text.trim() !== '') texts.push({ file, line: line + 1, kind, text, flaw, isCounted: flaw === undefined });
  };
  const visit = node => {
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
      const name = node.expression.text;
      if (name === 'problem' || name === 'notFinite') addErrors(node, add);
      else if (flagMakers.has(name))
        for (const argument of node.arguments) if (isSpoken(argument)) add(argument, 'help', textOf(argument));
    }
    if (
      file.startsWith('packages/cli/') &&
      ts.isPropertyAssignment(node) &&
      /^(help|summary)$/.test(node.name.getText())
    )
      if (isSpoken(node.initializer)) add(node, 'help', textOf(node.initializer));
    ts.forEachChild(node, visit);
  };
  visit(source);
  for (const statement of source.statements) if (isExported(statement)) addDocstrings(statement, add);
  return texts;
}

/** Names that a file takes from modules whose path fits. */
function importedFrom(source, path) {
  const names = source.statements
    .filter(statement => ts.isImportDeclaration(statement) && path.test(statement.moduleSpecifier.text))
    .flatMap(({ importClause }) => importClause?.namedBindings?.elements ?? []);
  return new Set(names.map(({ name }) => name.text));
}

/** Each part of an error is a clause of its own. */
function addErrors(call, add) {
  for (const details of call.arguments.filter(ts.isObjectLiteralExpression)) {
    if (!isHelpful(details))
      add(
        details,
        'errors',
        `${details.properties[0]?.getText() ?? ''}`,
        'says neither what was expected nor what to do',
      );
    for (const property of details.properties)
      if (ts.isPropertyAssignment(property) && errorParts.includes(property.name.getText()))
        for (const literal of spokenWithin(property.initializer)) add(literal, 'errors', textOf(literal));
  }
}

/** Whether an error's details say, or may say, what was expected or what to do; what was lost by a failure asks for neither. */
function isHelpful({ properties }) {
  const names = properties.map(property => property.name?.getText());
  return properties.some(ts.isSpreadAssignment) || ['expected', 'fix', 'isFailure'].some(name => names.includes(name));
}

/** The texts of an expression, those on both sides of a condition. */
function spokenWithin(expression) {
  if (isSpoken(expression)) return [expression];
  if (ts.isConditionalExpression(expression)) return [expression.whenTrue, expression.whenFalse].flatMap(spokenWithin);
  return ts.isParenthesizedExpression(expression) ? spokenWithin(expression.expression) : [];
}

/** A text with a space in it, whole or put together by a template. */
function isSpoken(node) {
  return (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)) && textOf(node).includes(' ');
}

function textOf(node) {
  if (ts.isStringLiteralLike(node)) return node.text;
  return node.head.text + node.templateSpans.map(({ literal }) => `X${literal.text}`).join('');
}

function isExported(node) {
  return ts.canHaveModifiers(node) && ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
}

/** The docstrings of a declaration and of its members. */
function addDocstrings(node, add) {
  for (const doc of ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc)) {
    add(doc, 'docstrings', spokenComment(doc.comment));
    for (const tag of doc.tags ?? [])
      if (tag.tagName.text !== 'example') add(tag, 'docstrings', spokenComment(tag.comment).replace(/^- /, ''));
  }
  const members = node.members ?? node.type?.members ?? [];
  for (const member of members) addDocstrings(member, add);
}

/** The words of a comment; a link or a span of code counts as one. */
function spokenComment(comment) {
  const text = ts.getTextOfJSDocComment(comment) ?? '';
  return text
    .replaceAll(/```[^]*?```/g, '')
    .replaceAll(/\{@link [^}]*\}/g, 'link')
    .replaceAll(/`[^`]*`/g, 'code')
    .replaceAll(/^\s*- /gm, '. ');
}
