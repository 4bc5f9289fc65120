package import JSON

/// What a text must be, made of parts that follow each other, of which one is chosen, or that come again.
package indirect enum GrammarExpression: Sendable {
    /// These characters. Where they spell a control token of the model, that token.
    case text(String)
    /// One character of these ranges of scalars.
    case character([ClosedRange<UInt32>])
    /// A text that a regular expression of ECMA-262 describes whole.
    case pattern(String)
    /// A word of a lexer: of all that may begin at a place the longest one is taken, so that none of them could go on behind it.
    case terminal(Terminal)
    /// A JSON text of a schema's value.
    case value(Schema)
    /// Any characters up to the first place where the text stands, and that text.
    case through(String)
    case sequence([GrammarExpression])
    case choice([GrammarExpression])
    /// At least `min` of them, one behind the other, and at most `max`; nil for any number.
    case repeated(GrammarExpression, min: Int, max: Int?)
    /// The rule of this name.
    case rule(String)
    /// Anything, of which nothing is asked until one of the markers has been written: then its expression has to follow, and
    /// anything again behind it where `repeats` says so.
    case free([Marker], repeats: Bool)

    package struct Schema: Sendable {
        package var json: JSONValue
        /// What stands before the schema's own places in errors, such as `tools[0].function.parameters`.
        package var place: String
        /// What holds where the schema cannot be enforced; nil where that is an error.
        package var otherwise: JSONValue?

        package init(_ json: JSONValue, place: String = "", otherwise: JSONValue? = nil) {
            (self.json, self.place, self.otherwise) = (json, place, otherwise)
        }
    }

    /// What a lexer finds as one word.
    package struct Terminal: Sendable, Hashable {
        /// Of its words, none of which is empty. Where one of them begins a text, the longest is what stands there.
        package var automaton: ScalarAutomaton
        /// Whether it is a given text, which is meant where another terminal has the same word.
        package var isLiteral: Bool

        package init(_ automaton: ScalarAutomaton, isLiteral: Bool) {
            (self.automaton, self.isLiteral) = (automaton, isLiteral)
        }
    }

    package struct Marker: Sendable {
        /// Not empty.
        package var text: String
        package var expression: GrammarExpression

        package init(_ text: String, _ expression: GrammarExpression) {
            (self.text, self.expression) = (text, expression)
        }
    }

    package static let empty = GrammarExpression.sequence([])

    package static func value(_ schema: JSONValue) -> GrammarExpression { .value(Schema(schema)) }

    package static func optional(_ expression: GrammarExpression) -> GrammarExpression {
        .repeated(expression, min: 0, max: 1)
    }
}

/// A grammar of texts: where it begins, and rules that may call each other.
package struct Grammar: Sendable {
    package var start: GrammarExpression
    package var rules: [String: GrammarExpression]

    package init(_ start: GrammarExpression, rules: [String: GrammarExpression] = [:]) {
        (self.start, self.rules) = (start, rules)
    }

    /// A JSON text of a schema's value.
    package init(schema: JSONValue) { self.init(.value(GrammarExpression.Schema(schema))) }
}
