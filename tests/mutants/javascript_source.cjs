'use strict';

/**
 * Owns what can be changed in a JavaScript file so that a test should notice: a statement deleted,
 * a condition negated, an operator, a number or a truth value exchanged. Prints them as JSON, one
 * `[line, kind, start, end, text]` each, in bytes of UTF-8.
 *
 * `node javascript_source.cjs <folder of the package typescript> <file>`
 */

const { readFileSync } = require('fs');

const [folder, path] = process.argv.slice(2);
const ts = require(folder);
const source = readFileSync(path, 'utf8');
const tree = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
const kinds = ts.SyntaxKind;

const COMPARED = new Map([
  [kinds.LessThanToken, '<='],
  [kinds.LessThanEqualsToken, '<'],
  [kinds.GreaterThanToken, '>='],
  [kinds.GreaterThanEqualsToken, '>'],
  [kinds.EqualsEqualsEqualsToken, '!=='],
  [kinds.ExclamationEqualsEqualsToken, '==='],
  [kinds.AmpersandAmpersandToken, '||'],
  [kinds.BarBarToken, '&&'],
]);
const DELETED = new Set([
  kinds.ExpressionStatement,
  kinds.ReturnStatement,
  kinds.ThrowStatement,
  kinds.ContinueStatement,
  kinds.BreakStatement,
]);

/** @type {[number, string, number, number, string][]} */
const found = [];

/** @param {string} kind @param {any} node @param {string} text */
function add(kind, node, text) {
  const start = node.getStart(tree);
  const line = tree.getLineAndCharacterOfPosition(start).line + 1;
  const bytes = (/** @type {number} */ end) => Buffer.byteLength(source.slice(0, end));
  found.push([line, kind, bytes(start), bytes(node.getEnd()), text]);
}

/** @param {any} node @param {boolean} isInFunction */
function visit(node, isInFunction) {
  if (isInFunction) {
    if (DELETED.has(node.kind)) add('delete', node, ';');
    const condition =
      ts.isIfStatement(node) || ts.isWhileStatement(node)
        ? node.expression
        : ts.isConditionalExpression(node)
          ? node.condition
          : null;
    if (condition) add('negate', condition, `!(${condition.getText(tree)})`);
    if (ts.isBinaryExpression(node) && COMPARED.has(node.operatorToken.kind)) {
      add('exchange', node.operatorToken, COMPARED.get(node.operatorToken.kind));
    }
    if (node.kind === kinds.TrueKeyword) add('exchange', node, 'false');
    if (node.kind === kinds.FalseKeyword) add('exchange', node, 'true');
    if (ts.isNumericLiteral(node)) add('exchange', node, `(${node.getText(tree)} + 1)`);
  }
  const isFunction = ts.isFunctionLike(node);
  ts.forEachChild(node, (/** @type {any} */ each) => visit(each, isInFunction || isFunction));
}

visit(tree, false);
process.stdout.write(JSON.stringify(found));
