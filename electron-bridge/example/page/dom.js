/** Finds and makes the page's elements. Writes text, never HTML, because strangers choose names. */

/**
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no #${id}`);
  return /** @type {T} */ (found);
}

/**
 * @param {string} tag
 * @param {string} className
 * @param {(Node | string)[]} children
 * @returns {HTMLElement}
 */
export function made(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/**
 * Writes the text of an element. Changes nothing when the element already has this text: a screen
 * reader would read it again.
 *
 * @param {HTMLElement} node
 * @param {string} text
 */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Marks a button as busy, by `aria-disabled`: `disabled` would take the keyboard's focus away.
 *
 * @param {HTMLElement} button
 * @param {boolean} is
 */
export function setBusy(button, is) {
  button.setAttribute('aria-disabled', String(is));
}

/** @param {HTMLElement} button */
export function isBusy(button) {
  return button.getAttribute('aria-disabled') === 'true';
}
