// Applies the chosen colours before the first paint; a classic script, because those block.
(() => {
  const CHOICES = ['auto', 'light', 'dark'];
  const root = document.documentElement;
  let choice = 'auto';
  try { choice = localStorage.getItem('ghostcast.theme') ?? 'auto'; } catch { /* no storage */ }
  const apply = () => { root.dataset.theme = choice; };
  const label = () => { document.getElementById('theme').title = `Colours: ${choice}`; };
  apply();
  document.addEventListener('DOMContentLoaded', () => {
    label();
    document.getElementById('theme').addEventListener('click', () => {
      choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
      try { localStorage.setItem('ghostcast.theme', choice); } catch { /* lasts until reload */ }
      apply();
      label();
    });
  });
})();
