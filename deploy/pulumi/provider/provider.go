package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"

	"github.com/lib/pq"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// unknown is how the engine writes a value that exists only after the update.
const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

var errGone = errors.New("it is not there any more")

// values are a resource's properties as JSON has them.
type values map[string]any

// text is a property that is a string; empty where there is none.
func (v values) text(name string) string {
	value, _ := v[name].(string)
	return value
}

func (v values) number(name string) int {
	value, _ := v[name].(float64)
	return int(value)
}

func (v values) yes(name string) bool {
	value, _ := v[name].(bool)
	return value
}

// field is one property of a kind.
type field struct {
	name     string
	standard any  // taken where the program says nothing; nil: required, unless optional
	optional bool // may be absent
	replaces bool // a change makes the resource anew
}

// kind is one type of resource.
type kind interface {
	fields() []field
	// refuse says what is wrong with a property's value; empty: nothing.
	refuse(name string, value any) string
	// identity names what is made, so that a read finds it again.
	identity(in values) string
	create(ctx context.Context, in values) error
	// read is what is really there: errGone where nothing is. known is what the state holds.
	read(ctx context.Context, id string, known values) (values, error)
	update(ctx context.Context, id string, olds, news values) error
	remove(ctx context.Context, id string) error
}

// computes is a kind that tells more of what it makes than the program said: known before it is made, too.
type computes interface {
	outputs(in values) values
}

// with adds what a kind computes.
func with(of kind, properties *structpb.Struct) (*structpb.Struct, error) {
	more, is := of.(computes)
	if !is {
		return properties, nil
	}
	all := values(properties.AsMap())
	for name, value := range more.outputs(all) {
		all[name] = value
	}
	return structpb.NewStruct(all)
}

type provider struct {
	pulumirpc.UnimplementedResourceProviderServer
	kinds map[string]kind
}

// kindOf finds the kind that a URN names: urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME.
func (p *provider) kindOf(urn string) (kind, error) {
	parts := strings.SplitN(urn, "::", 4)
	if len(parts) != 4 {
		return nil, status.Errorf(codes.InvalidArgument, "%q is no URN", urn)
	}
	token := parts[2][strings.LastIndex(parts[2], "$")+1:]
	found, there := p.kinds[token]
	if !there {
		return nil, status.Errorf(codes.InvalidArgument, "this provider makes no %q", token)
	}
	return found, nil
}

func (p *provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version}, nil
}

func (p *provider) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	return &pulumirpc.GetSchemaResponse{Schema: `{"name":"banksman","version":"` + version + `"}`}, nil
}

func (p *provider) Attach(context.Context, *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (p *provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (p *provider) CheckConfig(_ context.Context, in *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: in.GetNews()}, nil
}

func (p *provider) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

// Configure asks for no secrets: the engine keeps the secret marks of inputs on the outputs of the same names.
func (p *provider) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{AcceptSecrets: false, SupportsPreview: true}, nil
}

func (p *provider) Check(_ context.Context, in *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	kind, err := p.kindOf(in.GetUrn())
	if err != nil {
		return nil, err
	}
	given := values(in.GetNews().AsMap())
	failures := refuseUnknownNames(kind, given)
	for _, one := range kind.fields() {
		value, there := given[one.name]
		switch {
		case !there && one.standard != nil:
			given[one.name] = one.standard
		case !there && one.optional:
		case !there:
			failures = append(failures, failure(one.name, "is missing"))
		case value != unknown:
			if reason := kind.refuse(one.name, value); reason != "" {
				failures = append(failures, failure(one.name, reason))
			}
		}
	}
	inputs, err := structpb.NewStruct(given)
	return &pulumirpc.CheckResponse{Inputs: inputs, Failures: failures}, err
}

func refuseUnknownNames(of kind, given values) []*pulumirpc.CheckFailure {
	var failures []*pulumirpc.CheckFailure
	for name := range given {
		if !hasField(of, name) && !strings.HasPrefix(name, "__") {
			failures = append(failures, failure(name, "is no property of this resource"))
		}
	}
	return failures
}

func hasField(of kind, name string) bool {
	for _, one := range of.fields() {
		if one.name == name {
			return true
		}
	}
	return false
}

func failure(name, reason string) *pulumirpc.CheckFailure {
	return &pulumirpc.CheckFailure{Property: name, Reason: fmt.Sprintf("%q %s", name, reason)}
}

// Diff compares what the program wants with what the state holds. After a refresh the state holds what is really
// there, so that drift is a difference like any other.
func (p *provider) Diff(_ context.Context, in *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	kind, err := p.kindOf(in.GetUrn())
	if err != nil {
		return nil, err
	}
	olds, news := values(in.GetOlds().AsMap()), values(in.GetNews().AsMap())
	answer := &pulumirpc.DiffResponse{
		Changes:         pulumirpc.DiffResponse_DIFF_NONE,
		HasDetailedDiff: true,
		DetailedDiff:    map[string]*pulumirpc.PropertyDiff{},
	}
	for _, one := range kind.fields() {
		old, new := olds[one.name], news[one.name]
		if reflect.DeepEqual(old, new) {
			continue
		}
		answer.Changes = pulumirpc.DiffResponse_DIFF_SOME
		answer.Diffs = append(answer.Diffs, one.name)
		answer.DetailedDiff[one.name] = &pulumirpc.PropertyDiff{Kind: howChanged(old, new, one.replaces)}
		if one.replaces {
			answer.Replaces = append(answer.Replaces, one.name)
		}
	}
	// Two of the same name cannot stand beside each other.
	answer.DeleteBeforeReplace = len(answer.Replaces) > 0 && kind.identity(olds) == kind.identity(news)
	return answer, nil
}

func howChanged(old, new any, replaces bool) pulumirpc.PropertyDiff_Kind {
	kind := pulumirpc.PropertyDiff_UPDATE
	switch {
	case old == nil:
		kind = pulumirpc.PropertyDiff_ADD
	case new == nil:
		kind = pulumirpc.PropertyDiff_DELETE
	}
	if replaces {
		kind++ // each kind is followed by its replacing twin
	}
	return kind
}

func (p *provider) Create(ctx context.Context, in *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	kind, err := p.kindOf(in.GetUrn())
	if err != nil {
		return nil, err
	}
	told, err := with(kind, in.GetProperties())
	if err != nil || in.GetPreview() {
		return &pulumirpc.CreateResponse{Properties: told}, err
	}
	wanted := values(in.GetProperties().AsMap())
	if err := kind.create(ctx, wanted); err != nil {
		return nil, err
	}
	return &pulumirpc.CreateResponse{Id: kind.identity(wanted), Properties: told}, nil
}

func (p *provider) Read(ctx context.Context, in *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	kind, err := p.kindOf(in.GetUrn())
	if err != nil {
		return nil, err
	}
	found, err := kind.read(ctx, in.GetId(), values(in.GetProperties().AsMap()))
	if errors.Is(err, errGone) {
		return &pulumirpc.ReadResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	there, err := structpb.NewStruct(found)
	if err != nil {
		return nil, err
	}
	told, err := with(kind, there)
	return &pulumirpc.ReadResponse{Id: in.GetId(), Properties: told, Inputs: there}, err
}

func (p *provider) Update(ctx context.Context, in *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	kind, err := p.kindOf(in.GetUrn())
	if err != nil {
		return nil, err
	}
	if !in.GetPreview() {
		olds, news := values(in.GetOlds().AsMap()), values(in.GetNews().AsMap())
		if err := kind.update(ctx, in.GetId(), olds, news); err != nil {
			return nil, err
		}
	}
	told, err := with(kind, in.GetNews())
	return &pulumirpc.UpdateResponse{Properties: told}, err
}

func (p *provider) Delete(ctx context.Context, in *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	kind, err := p.kindOf(in.GetUrn())
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, certain(kind.remove(ctx, in.GetId()))
}

// certain tells the engine, where it is so, that a deletion did not happen: the server or the system said no. Of any
// other error (a lost connection) the engine keeps thinking that nobody knows, and calls its state perhaps corrupt.
func certain(err error) error {
	var server *pq.Error
	var system *fs.PathError
	var refused refusal
	if errors.As(err, &server) || errors.As(err, &system) || errors.As(err, &refused) {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	return err
}
