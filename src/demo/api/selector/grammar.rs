//! The grammar of label selectors.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requirement {
    pub(super) key: String,
    pub(super) test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
}

/// The tokens of the label selector grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(&'static str),
    End,
}

impl Token {
    fn shown(&self) -> &str {
        match self {
            Token::Word(word) => word,
            Token::Sign(sign) => sign,
            Token::End => "",
        }
    }
}

pub(super) struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    pub(super) fn new(text: &str) -> Self {
        const SIGNS: &[&str] = &["==", "!=", "=", "!", "(", ")", ",", ">", "<"];
        let mut tokens = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            if let Some(sign) = SIGNS.iter().find(|s| rest.starts_with(**s)) {
                tokens.push(Token::Sign(sign));
                rest = &rest[sign.len()..];
            } else {
                let end =
                    rest.find(|c: char| c.is_whitespace() || "=!(),><".contains(c)).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].into()));
                rest = &rest[end..];
            }
            rest = rest.trim_start();
        }
        tokens.push(Token::End);
        Self { tokens, at: 0 }
    }

    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    pub(super) fn requirements(mut self) -> Result<Vec<Requirement>, String> {
        let mut found = Vec::new();
        loop {
            match self.peek() {
                Token::End => return Ok(found),
                Token::Word(_) | Token::Sign("!") => found.push(self.requirement()?),
                other => {
                    return Err(format!(
                        "found '{}', expected: !, identifier, or 'end of string'",
                        other.shown()
                    ));
                }
            }
            match self.next() {
                Token::End => return Ok(found),
                Token::Sign(",") => {
                    if !matches!(self.peek(), Token::Word(_) | Token::Sign("!")) {
                        return Err(format!(
                            "found '{}', expected: identifier after ','",
                            self.peek().shown()
                        ));
                    }
                }
                other => return Err(format!("found '{}', expected: ',' or 'end of string'", other.shown())),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let failed = |e: String| format!("unable to parse requirement: {e}");
        let absent = *self.peek() == Token::Sign("!");
        if absent {
            self.next();
        }
        let Token::Word(key) = self.next() else {
            return Err(failed("found '', expected: identifier".into()));
        };
        valid_key(&key).map_err(failed)?;
        if absent {
            return Ok(Requirement { key, test: Test::Absent });
        }
        let test = match self.peek().clone() {
            Token::End | Token::Sign(",") => Test::Exists,
            Token::Sign("=" | "==") => Test::In(vec![self.value().map_err(failed)?]),
            Token::Sign("!=") => Test::NotIn(vec![self.value().map_err(failed)?]),
            Token::Word(word) if word == "in" => Test::In(self.set().map_err(failed)?),
            Token::Word(word) if word == "notin" => Test::NotIn(self.set().map_err(failed)?),
            Token::Sign(sign @ (">" | "<")) => self.compared(sign).map_err(failed)?,
            Token::Word(word) if word == "gt" || word == "lt" => {
                self.compared(if word == "gt" { ">" } else { "<" }).map_err(failed)?
            }
            other => {
                let expected = "in, notin, =, ==, !=, gt, lt";
                return Err(failed(format!("found '{}', expected: {expected}", other.shown())));
            }
        };
        Ok(Requirement { key, test })
    }

    fn value(&mut self) -> Result<String, String> {
        self.next();
        match self.peek().clone() {
            Token::Word(word) => {
                self.next();
                valid_value(&word)?;
                Ok(word)
            }
            Token::End | Token::Sign(",") => Ok(String::new()),
            other => Err(format!("found '{}', expected: identifier", other.shown())),
        }
    }

    fn compared(&mut self, sign: &str) -> Result<Test, String> {
        let value = self.value()?;
        let number = value
            .parse()
            .map_err(|_| format!("values[0]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer"))?;
        Ok(if sign == ">" { Test::Greater(number) } else { Test::Less(number) })
    }

    fn set(&mut self) -> Result<Vec<String>, String> {
        self.next();
        if self.next() != Token::Sign("(") {
            return Err("found '', expected: '('".into());
        }
        let mut values = Vec::new();
        loop {
            match self.next() {
                Token::Word(word) => {
                    valid_value(&word)?;
                    values.push(word);
                    match self.next() {
                        Token::Sign(",") => {}
                        Token::Sign(")") => return Ok(values),
                        other => return Err(format!("found '{}', expected: ',' or ')'", other.shown())),
                    }
                }
                Token::Sign(")") => {
                    values.push(String::new());
                    return Ok(values);
                }
                Token::Sign(",") => values.push(String::new()),
                other => return Err(format!("found '{}', expected: ',', ')' or identifier", other.shown())),
            }
        }
    }
}

fn valid_value(value: &str) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if value.is_empty()
        || value.len() <= 63
            && value.chars().all(inner)
            && edge(value.chars().next())
            && edge(value.chars().last())
    {
        return Ok(());
    }
    Err(format!(
        "values[0][]: Invalid value: \"{value}\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
    ))
}

fn valid_key(key: &str) -> Result<(), String> {
    let (prefix, name) = key.split_once('/').unwrap_or(("", key));
    if !name.is_empty() && !name.contains('/') && valid_value(name).is_ok() && prefix.len() <= 253 {
        return Ok(());
    }
    Err(format!(
        "key: Invalid value: \"{key}\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
    ))
}
