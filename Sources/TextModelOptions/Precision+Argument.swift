import ArgumentParser
import Layers
package import ModelServing
import Tensors
import TextGeneration
package import TextModels

extension Precision: ExpressibleByArgument {}
extension ActivationPrecision: ExpressibleByArgument {}
extension CachePrecision: ExpressibleByArgument {}
extension Speculation: ExpressibleByArgument {}
extension Reranker: ExpressibleByArgument {}
extension IdleTime: ExpressibleByArgument {}
