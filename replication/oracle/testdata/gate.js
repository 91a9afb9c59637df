// Parses statements with a grammar of PL/SQL. Standard input is a JSON array of
// texts, standard output one of the complaints about each, "" for none. The
// folder with node_modules is the argument.
const sql = require(require.resolve('antlr4ts-sql', { paths: [process.argv[2]] }));

function complaints(text) {
  const found = [];
  const listener = {
    syntaxError: (recognizer, symbol, line, column, message) => found.push(line + ':' + column + ' ' + message.slice(0, 120)),
  };
  const stream = new sql.CaseChangingStream(sql.CharStreams.fromString(text), true);
  const lexer = new sql.PlSqlLexer(stream);
  lexer.removeErrorListeners();
  lexer.addErrorListener(listener);
  const parser = new sql.PlSQLGrammar.PlSqlParser(new sql.CommonTokenStream(lexer));
  parser.removeErrorListeners();
  parser.addErrorListener(listener);
  parser.sql_script();
  if (parser.currentToken.type !== sql.Token.EOF) {
    found.push('stopped before ' + parser.currentToken.text);
  }
  return found.join('; ');
}

let input = '';
process.stdin.on('data', (data) => { input += data; });
process.stdin.on('end', () => {
  process.stdout.write(JSON.stringify(JSON.parse(input).map(complaints)));
});
