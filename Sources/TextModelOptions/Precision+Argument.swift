import ArgumentParser
import Layers
import Tensors
import TextGeneration
package import TextModels

extension Precision: ExpressibleByArgument {}
extension ActivationPrecision: ExpressibleByArgument {}
extension CachePrecision: ExpressibleByArgument {}
extension Speculation: ExpressibleByArgument {}
extension Reranker: ExpressibleByArgument {}
