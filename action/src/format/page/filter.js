const search = document.getElementById('search');
search.hidden = false;
search.addEventListener('input', () => {
  const wanted = search.value.toLowerCase();
  for (const result of document.querySelectorAll('.result')) {
    result.hidden = !result.textContent.toLowerCase().includes(wanted);
  }
  for (const group of document.querySelectorAll('.resource')) {
    group.hidden = !group.querySelector('.result:not([hidden])');
  }
});
