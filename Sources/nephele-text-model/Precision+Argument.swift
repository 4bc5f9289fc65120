import ArgumentParser
import Tensors
import TextModels

extension Precision: ExpressibleByArgument {}
extension CachePrecision: ExpressibleByArgument {}

/// What proposes tokens where there is no draft model.
enum Speculation: String, CaseIterable, ExpressibleByArgument {
    case none, lookup
}
