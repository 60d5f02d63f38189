// A data grid: AG Grid, which keeps only the rows in sight in the document.
import {AllCommunityModule, createGrid, ModuleRegistry} from 'ag-grid-community';
import {make, watch} from './truth.js';

ModuleRegistry.registerModules([AllCommunityModule]);
const NAMES = ['Lamp', 'Chair', 'Table', 'Sofa', 'Shelf', 'Desk', 'Stool', 'Bed'];
const rows = Array.from({length: 200}, (_, i) => (
  {article: `${NAMES[i % 8]} ${i + 1}`, price: (i * 37) % 101 + 10, stock: (i * 7) % 23}));
const search = make('input', {type: 'search', 'aria-label': 'Search articles'});
const place = make('div', {style: 'height:400px;width:800px;margin-top:8px'});
document.body.append(search, place);
const grid = createGrid(place, {
  rowData: rows,
  rowSelection: {mode: 'multiRow', headerCheckbox: false},
  defaultColDef: {width: 180},
  columnDefs: [{field: 'article'}, {field: 'price', editable: true}, {field: 'stock'}],
});
search.addEventListener('input', () => grid.setGridOption('quickFilterText', search.value));
watch(() => ({
  sort: grid.getColumnState().filter((c) => c.sort).map((c) => `${c.colId} ${c.sort}`),
  columns: grid.getAllDisplayedColumns().map((c) => c.getColId()).filter((id) => !id.startsWith('ag-')),
  selected: grid.getSelectedRows().map((row) => row.article),
  shown: grid.getDisplayedRowCount(),
  prices: Object.fromEntries(rows.slice(0, 12).map((row) => [row.article, row.price])),
}));
