/// Where a value stands in a document: `messages[1].content`.
package indirect enum JSONPath: Sendable {
    case root
    case member(of: JSONPath, String)
    case element(of: JSONPath, Int)

    /// Names of members are cut to 100 characters; empty for the whole document.
    package var description: String {
        switch self {
        case .root: ""
        case .member(.root, let name): String(name.prefix(100))
        case .member(let parent, let name): "\(parent.description).\(name.prefix(100))"
        case .element(let parent, let index): "\(parent.description)[\(index)]"
        }
    }

    var keys: [any CodingKey] {
        switch self {
        case .root: []
        case .member(let parent, let name): parent.keys + [JSONKey(name)]
        case .element(let parent, let index): parent.keys + [JSONKey(index)]
        }
    }

    /// The path that a decoder's keys spell.
    package init(_ keys: some Sequence<any CodingKey>) {
        self = .root
        for key in keys {
            self = key.intValue.map { .element(of: self, $0) } ?? .member(of: self, key.stringValue)
        }
    }
}

struct JSONKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(_ name: String) { (stringValue, intValue) = (name, nil) }
    init(_ index: Int) { (stringValue, intValue) = ("\(index)", index) }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { self.init(intValue) }
}

/// What is wrong with a document or one of its values.
package struct JSONError: Error, Sendable {
    /// Where; `root` for the whole document.
    package var path: JSONPath
    /// A clause whose subject is the value: «must be a string, not null».
    package var problem: String
    /// Whether the document is no JSON at all.
    package var isSyntax = false

    package init(_ path: JSONPath, _ problem: String, isSyntax: Bool = false) {
        (self.path, self.problem, self.isSyntax) = (path, problem, isSyntax)
    }
}
