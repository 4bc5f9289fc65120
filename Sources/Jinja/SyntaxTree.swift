/// A statement of a template.
indirect enum Statement: Sendable {
    case text([Unicode.Scalar])
    case output([Expression])
    case assign(Target, Expression)
    case assignBlock(Target, filter: Expression?, body: [Node])
    case loop(Loop)
    case condition([(test: Expression?, body: [Node])])
    case macro(Macro)
    case call(Expression, Macro)
    case filterBlock(Expression, body: [Node])
    case with([(target: Target, value: Expression)], body: [Node])
    /// `{% generation %}`: its body, in a scope of its own.
    case scope([Node])
    case breakLoop, continueLoop
}

/// A statement and where it begins.
struct Node: Sendable {
    var statement: Statement
    var line: Int
}

struct Loop: Sendable {
    var target: Target
    var items: Expression
    var filter: Expression?
    var isRecursive: Bool
    var body: [Node]
    var otherwise: [Node]
}

struct Macro: Sendable {
    var name: String
    var parameters: [(name: String, standard: Expression?)]
    var body: [Node]
    /// Which of the names `varargs`, `kwargs` and `caller` its body has: it takes what they stand for.
    var takes: Set<String>
}

/// What can be assigned to.
indirect enum Target: Sendable {
    case name(String)
    case member(String, String)
    case tuple([Target])
}

/// An expression of a template.
indirect enum Expression: Sendable {
    case none
    case bool(Bool)
    case integer(Int)
    case float(Double)
    case string(TrustedText)
    case name(String)
    case list([Expression])
    case tuple([Expression])
    case object([(key: Expression, value: Expression)])
    case attribute(Expression, String)
    case item(Expression, Expression)
    case slice(Expression, from: Expression?, to: Expression?, step: Expression?)
    case call(Expression, Arguments)
    /// The base is nil at the head of a filter block.
    case filter(Expression?, String, Arguments)
    case test(Expression, String, Arguments)
    case not(Expression)
    case negative(Expression)
    case positive(Expression)
    case and(Expression, Expression)
    case or(Expression, Expression)
    case arithmetic(String, Expression, Expression)
    case concatenation([Expression])
    case comparison(Expression, [(operation: String, operand: Expression)])
    case conditional(Expression, test: Expression, Expression?)
}

/// What stands in the brackets of a call.
struct Arguments: Sendable {
    var positional: [Expression] = []
    var named: [(name: String, value: Expression)] = []
    /// `*list` and `**object`.
    var list: Expression?
    var object: Expression?
}
