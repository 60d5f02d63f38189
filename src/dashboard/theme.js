// Applies the chosen colour scheme before the first paint. A classic script, so that it blocks.
(() => {
  const KEY = 'ghostcast.theme';
  const CHOICES = ['auto', 'light', 'dark'];
  const read = () => {
    try { return localStorage.getItem(KEY); } catch { return null; }
  };
  const apply = (choice) => {
    document.documentElement.dataset.theme = CHOICES.includes(choice) ? choice : 'auto';
  };
  apply(read());
  document.addEventListener('DOMContentLoaded', () => {
    const button = document.getElementById('theme');
    const label = () => {
      const words = `Colours: ${document.documentElement.dataset.theme}`;
      button.title = words;
      button.setAttribute('aria-label', words);
    };
    button.addEventListener('click', () => {
      const at = CHOICES.indexOf(document.documentElement.dataset.theme);
      const next = CHOICES[(at + 1) % CHOICES.length];
      apply(next);
      try { localStorage.setItem(KEY, next); } catch { /* no storage: the choice lasts until reload */ }
      label();
    });
    label();
  });
})();
